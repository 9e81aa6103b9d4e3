"""what comes with a form: files, consent, what forms have seen lately

Revision: 0007
Follows: 0006
"""

import sqlalchemy as sa
from alembic import op

revision = '0007'
down_revision = '0006'
branch_labels = None
depends_on = None

KEY = sa.BigInteger().with_variant(sa.Integer(), 'sqlite')


def upgrade() -> None:
    op.create_table(
        'attachment',
        sa.Column('id', KEY, nullable=False),
        sa.Column('lead_id', KEY, nullable=False),
        sa.Column('event_id', sa.Uuid(as_uuid=False), nullable=False),
        sa.Column('position', sa.Integer(), nullable=False),
        sa.Column('name', sa.Text(), nullable=False),
        sa.Column('kind', sa.String(length=100), nullable=False),
        sa.Column('size', sa.BigInteger(), nullable=False),
        sa.Column('digest', sa.String(length=64), nullable=False),
        sa.Column('place', sa.Text(), nullable=False),
        sa.Column('refused', sa.String(length=100), nullable=False),
        sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(['lead_id'], ['lead.id'], name=op.f('fk_attachment_lead_id_lead')),
        sa.PrimaryKeyConstraint('id', name=op.f('pk_attachment')),
        sa.UniqueConstraint('event_id', 'position', name=op.f('uq_attachment_event_id_position')),
    )
    op.create_index(op.f('ix_attachment_lead_id'), 'attachment', ['lead_id'])
    op.create_table(
        'consent_given',
        sa.Column('id', KEY, nullable=False),
        sa.Column('lead_id', KEY, nullable=False),
        sa.Column('event_id', sa.Uuid(as_uuid=False), nullable=True),
        sa.Column('source', sa.String(length=100), nullable=False),
        sa.Column('field', sa.String(length=100), nullable=False),
        sa.Column('text', sa.Text(), nullable=False),
        sa.Column('version', sa.String(length=100), nullable=False),
        sa.Column('given', sa.Boolean(), nullable=False),
        sa.Column('at', sa.DateTime(timezone=True), nullable=False),
        sa.Column('address', sa.String(length=100), nullable=False),
        sa.Column('page', sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(['lead_id'], ['lead.id'], name=op.f('fk_consent_given_lead_id_lead')),
        sa.PrimaryKeyConstraint('id', name=op.f('pk_consent_given')),
        sa.UniqueConstraint('event_id', 'field', name=op.f('uq_consent_given_event_id_field')),
    )
    op.create_index(op.f('ix_consent_given_lead_id'), 'consent_given', ['lead_id'])
    op.create_table(
        'form_print',
        sa.Column('kind', sa.String(length=100), nullable=False),
        sa.Column('digest', sa.String(length=64), nullable=False),
        sa.Column('slot', sa.String(length=64), nullable=False),
        sa.Column('event_id', sa.Uuid(as_uuid=False), nullable=False),
        sa.Column('at', sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint('kind', 'digest', 'slot', name=op.f('pk_form_print')),
    )
    op.create_index(op.f('ix_form_print_at'), 'form_print', ['at'])
    with op.batch_alter_table('lead') as batch_op:
        batch_op.add_column(sa.Column('consent', sa.Boolean(), nullable=True))


def downgrade() -> None:
    with op.batch_alter_table('lead') as batch_op:
        batch_op.drop_column('consent')
    op.drop_table('form_print')
    op.drop_table('consent_given')
    op.drop_table('attachment')
