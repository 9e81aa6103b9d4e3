"""how soon people answer

Revision: 0031
Follows: 0030
"""

import sqlalchemy as sa
from alembic import op

revision = '0031'
down_revision = '0030'
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table('sla_clock') as batch_op:
        batch_op.add_column(sa.Column('taken_seconds', sa.Integer(), nullable=True))
        batch_op.create_index('ix_sla_clock_started_at', ['started_at'], unique=False)


def downgrade() -> None:
    with op.batch_alter_table('sla_clock') as batch_op:
        batch_op.drop_index('ix_sla_clock_started_at')
        batch_op.drop_column('taken_seconds')
