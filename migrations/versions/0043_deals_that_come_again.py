"""deals that come again: their templates

Revision: 0043
Follows: 0042
"""

import sqlalchemy as sa
from alembic import op

revision = '0043'
down_revision = '0042'
branch_labels = None
depends_on = None

KEY = sa.BigInteger().with_variant(sa.Integer(), 'sqlite')
EXACT = sa.Numeric(20, 4).with_variant(sa.BigInteger(), 'sqlite')
MOMENT = sa.DateTime(timezone=True)
JSON = sa.JSON().with_variant(sa.dialects.postgresql.JSONB(), 'postgresql')
_DUE = sa.text('next_at IS NOT NULL')
_OF_ONE = sa.text('template_id IS NOT NULL')


def upgrade() -> None:
    op.create_table('deal_template',
    sa.Column('id', KEY, nullable=False),
    sa.Column('name', sa.Text(), nullable=False),
    sa.Column('title', sa.Text(), nullable=False),
    sa.Column('stage_id', KEY, nullable=False),
    sa.Column('amount', EXACT, nullable=True),
    sa.Column('currency', sa.String(length=3), nullable=False),
    sa.Column('lines', JSON, nullable=False),
    sa.Column('owner_id', KEY, nullable=True),
    sa.Column('contact_id', KEY, nullable=True),
    sa.Column('company_id', KEY, nullable=True),
    sa.Column('contacts', JSON, nullable=False),
    sa.Column('source_id', KEY, nullable=True),
    sa.Column('tags', JSON, nullable=False),
    sa.Column('fields', JSON, nullable=False),
    sa.Column('recurrence', sa.String(length=500), nullable=False),
    sa.Column('zone', sa.String(length=100), nullable=False),
    sa.Column('starts_at', MOMENT, nullable=False),
    sa.Column('next_at', MOMENT, nullable=True),
    sa.Column('paused', sa.Boolean(), nullable=False),
    sa.Column('ended_at', MOMENT, nullable=True),
    sa.Column('ended_why', sa.Text(), nullable=False),
    sa.Column('made', sa.Integer(), nullable=False),
    sa.Column('created_by', sa.Text(), nullable=False),
    sa.Column('created_at', MOMENT, nullable=False),
    sa.Column('updated_at', MOMENT, nullable=False),
    sa.ForeignKeyConstraint(['stage_id'], ['stage.id'], name=op.f('fk_deal_template_stage_id_stage')),
    sa.ForeignKeyConstraint(['owner_id'], ['user_account.id'], name=op.f('fk_deal_template_owner_id_user_account')),
    sa.ForeignKeyConstraint(['contact_id'], ['contact.id'], name=op.f('fk_deal_template_contact_id_contact')),
    sa.ForeignKeyConstraint(['company_id'], ['company.id'], name=op.f('fk_deal_template_company_id_company')),
    sa.ForeignKeyConstraint(['source_id'], ['source.id'], name=op.f('fk_deal_template_source_id_source')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_deal_template'))
    )
    op.create_index('ix_deal_template_next_at', 'deal_template', ['next_at'], postgresql_where=_DUE, sqlite_where=_DUE)
    for column in ('owner_id', 'contact_id', 'company_id'):
        op.create_index(f'ix_deal_template_{column}', 'deal_template', [column])
    with op.batch_alter_table('deal') as batch_op:
        batch_op.add_column(sa.Column('template_id', KEY, nullable=True))
        batch_op.create_foreign_key('fk_deal_template_id_deal_template', 'deal_template', ['template_id'], ['id'])
        batch_op.create_index('ix_deal_template_id', ['template_id'], postgresql_where=_OF_ONE, sqlite_where=_OF_ONE)


def downgrade() -> None:
    with op.batch_alter_table('deal') as batch_op:
        batch_op.drop_index('ix_deal_template_id', postgresql_where=_OF_ONE, sqlite_where=_OF_ONE)
        batch_op.drop_constraint('fk_deal_template_id_deal_template', type_='foreignkey')
        batch_op.drop_column('template_id')
    op.drop_table('deal_template')
