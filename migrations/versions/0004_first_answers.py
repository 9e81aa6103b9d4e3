"""first answers: policies and clocks

Revision: 0004
Follows: 0003
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = '0004'
down_revision = '0003'
branch_labels = None
depends_on = None

JSON = sa.JSON().with_variant(postgresql.JSONB(), 'postgresql')
KEY = sa.BigInteger().with_variant(sa.Integer(), 'sqlite')


def upgrade() -> None:
    with op.batch_alter_table('workspace') as batch_op:
        batch_op.add_column(sa.Column('sla', JSON, server_default='[]', nullable=False))
    op.create_table(
        'sla_clock',
        sa.Column('lead_id', KEY, nullable=False),
        sa.Column('policy', sa.String(length=100), nullable=False),
        sa.Column('settings', JSON, nullable=False),
        sa.Column(
            'state',
            sa.Enum('running', 'paused', 'met', 'late', 'ended', name='slastate', native_enum=False, length=20),
            nullable=False,
        ),
        sa.Column('started_at', sa.DateTime(timezone=True), nullable=False),
        sa.Column('due_at', sa.DateTime(timezone=True), nullable=True),
        sa.Column('elapsed_seconds', sa.Integer(), nullable=False),
        sa.Column('running_since', sa.DateTime(timezone=True), nullable=False),
        sa.Column('next_at', sa.DateTime(timezone=True), nullable=True),
        sa.Column('told_percent', sa.Integer(), nullable=False),
        sa.Column('breached_at', sa.DateTime(timezone=True), nullable=True),
        sa.Column('ended_at', sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(['lead_id'], ['lead.id'], name=op.f('fk_sla_clock_lead_id_lead')),
        sa.PrimaryKeyConstraint('lead_id', name=op.f('pk_sla_clock')),
    )
    running = sa.text('next_at is not null')
    op.create_index(
        'ix_sla_clock_next_at', 'sla_clock', ['next_at'], postgresql_where=running, sqlite_where=running
    )


def downgrade() -> None:
    op.drop_table('sla_clock')
    with op.batch_alter_table('workspace') as batch_op:
        batch_op.drop_column('sla')
