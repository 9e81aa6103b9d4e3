"""runs on nothing

Revision: 0024
Follows: 0023
"""

import sqlalchemy as sa
from alembic import op

revision = '0024'
down_revision = '0023'
branch_labels = None
depends_on = None


def upgrade() -> None:
    there = sa.text('lead_id IS NULL AND deal_id IS NULL AND contact_id IS NULL')
    with op.batch_alter_table('run') as batch_op:
        batch_op.create_index('ix_run_on_nothing', ['rule', 'started_at'], unique=False, postgresql_where=there, sqlite_where=there)


def downgrade() -> None:
    with op.batch_alter_table('run') as batch_op:
        batch_op.drop_index('ix_run_on_nothing')
