"""runs that wait

Revision: 0002
Follows: 0001
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = '0002'
down_revision = '0001'
branch_labels = None
depends_on = None

JSON = sa.JSON().with_variant(postgresql.JSONB(), 'postgresql')
# Rows that are there already remember nothing.
EMPTY = '{}'


def _due(states: str) -> None:
    where = sa.text(f'state in ({states})')
    op.drop_index('ix_step_due', 'step')
    op.create_index('ix_step_due', 'step', ['due_at'], postgresql_where=where, sqlite_where=where)


def upgrade() -> None:
    with op.batch_alter_table('run') as batch_op:
        batch_op.add_column(sa.Column('cause', JSON, server_default=EMPTY, nullable=False))
        batch_op.add_column(sa.Column('ended_why', sa.Text(), nullable=True))
    with op.batch_alter_table('step') as batch_op:
        batch_op.add_column(sa.Column('awaits', sa.String(length=100), nullable=True))
        batch_op.add_column(sa.Column('data', JSON, server_default=EMPTY, nullable=False))
    _due("'ready', 'running', 'waiting'")


def downgrade() -> None:
    _due("'ready', 'running'")
    with op.batch_alter_table('step') as batch_op:
        batch_op.drop_column('data')
        batch_op.drop_column('awaits')
    with op.batch_alter_table('run') as batch_op:
        batch_op.drop_column('ended_why')
        batch_op.drop_column('cause')
