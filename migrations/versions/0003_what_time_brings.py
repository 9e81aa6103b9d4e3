"""what time brings: activities that fall due, idle leads, rules that come again, calls that begin;
and the tests that rules carry

Revision: 0003
Follows: 0002
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = '0003'
down_revision = '0002'
branch_labels = None
depends_on = None

JSON = sa.JSON().with_variant(postgresql.JSONB(), 'postgresql')
NONE_YET = '0'


def upgrade() -> None:
    op.create_table(
        'cron_rule',
        sa.Column('rule', sa.String(length=120), nullable=False),
        sa.Column('at', sa.Text(), nullable=False),
        sa.Column('next_at', sa.DateTime(timezone=True), nullable=False),
        sa.Column('running_at', sa.DateTime(timezone=True), nullable=True),
        sa.Column('last_lead_id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=True),
        sa.PrimaryKeyConstraint('rule', name=op.f('pk_cron_rule')),
    )
    with op.batch_alter_table('activity') as batch_op:
        batch_op.add_column(sa.Column('told', sa.Integer(), server_default=NONE_YET, nullable=False))
    untold = sa.text("state = 'planned' and told < 2")
    op.create_index('ix_activity_untold', 'activity', ['due_at'], postgresql_where=untold, sqlite_where=untold)
    with op.batch_alter_table('lead') as batch_op:
        batch_op.add_column(sa.Column('idle_days', sa.Integer(), server_default=NONE_YET, nullable=False))
    with op.batch_alter_table('call') as batch_op:
        # Of the calls that are there already rules are told nothing more.
        batch_op.add_column(sa.Column('start_told', sa.Boolean(), server_default='1', nullable=False))


    with op.batch_alter_table('ruleset_version') as batch_op:
        batch_op.add_column(sa.Column('tests', JSON, server_default='[]', nullable=False))
        batch_op.add_column(sa.Column('why', sa.Text(), server_default='', nullable=False))


def downgrade() -> None:
    with op.batch_alter_table('ruleset_version') as batch_op:
        batch_op.drop_column('why')
        batch_op.drop_column('tests')
    with op.batch_alter_table('call') as batch_op:
        batch_op.drop_column('start_told')
    with op.batch_alter_table('lead') as batch_op:
        batch_op.drop_column('idle_days')
    op.drop_index('ix_activity_untold', 'activity')
    with op.batch_alter_table('activity') as batch_op:
        batch_op.drop_column('told')
    op.drop_table('cron_rule')
