"""reports

Revision: 0036
Follows: 0035
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = '0036'
down_revision = '0035'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table('saved_report',
    sa.Column('id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=False),
    sa.Column('name', sa.Text(), nullable=False),
    sa.Column('kind', sa.String(length=100), nullable=False),
    sa.Column('filters', sa.JSON().with_variant(postgresql.JSONB(), "postgresql"), nullable=False),
    sa.Column('user_id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=True),
    sa.Column('schedule', sa.String(length=200), nullable=True),
    sa.Column('format', sa.String(length=100), nullable=False),
    sa.Column('recipients', sa.JSON().with_variant(postgresql.JSONB(), "postgresql"), nullable=False),
    sa.Column('next_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('sent_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('error', sa.Text(), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('updated_at', sa.DateTime(timezone=True), nullable=False),
    sa.ForeignKeyConstraint(['user_id'], ['user_account.id'], name=op.f('fk_saved_report_user_id_user_account')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_saved_report'))
    )
    with op.batch_alter_table('saved_report') as batch_op:
        batch_op.create_index('ix_saved_report_next_at', ['next_at'], unique=False, postgresql_where=sa.text('next_at IS NOT NULL'), sqlite_where=sa.text('next_at IS NOT NULL'))
        batch_op.create_index(batch_op.f('ix_saved_report_user_id'), ['user_id'], unique=False)

    op.create_table('source_cost',
    sa.Column('id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=False),
    sa.Column('source_id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=False),
    sa.Column('campaign', sa.String(length=200), nullable=True),
    sa.Column('since', sa.Date(), nullable=False),
    sa.Column('until', sa.Date(), nullable=False),
    sa.Column('amount', sa.Numeric(20, 4).with_variant(sa.BigInteger(), "sqlite"), nullable=False),
    sa.Column('currency', sa.String(length=3), nullable=False),
    sa.Column('note', sa.Text(), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('updated_at', sa.DateTime(timezone=True), nullable=False),
    sa.ForeignKeyConstraint(['source_id'], ['source.id'], name=op.f('fk_source_cost_source_id_source')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_source_cost'))
    )
    with op.batch_alter_table('source_cost') as batch_op:
        batch_op.create_index(batch_op.f('ix_source_cost_source_id'), ['source_id'], unique=False)



def downgrade() -> None:
    with op.batch_alter_table('source_cost') as batch_op:
        batch_op.drop_index(batch_op.f('ix_source_cost_source_id'))

    op.drop_table('source_cost')
    with op.batch_alter_table('saved_report') as batch_op:
        batch_op.drop_index(batch_op.f('ix_saved_report_user_id'))
        batch_op.drop_index('ix_saved_report_next_at', postgresql_where=sa.text('next_at IS NOT NULL'), sqlite_where=sa.text('next_at IS NOT NULL'))

    op.drop_table('saved_report')
