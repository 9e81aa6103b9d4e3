"""a stamp of the workspace's present state, under which processes keep what they have read

Revision: 0044
Follows: 0043
"""

from uuid import uuid4

import sqlalchemy as sa
from alembic import op

revision = '0044'
down_revision = '0043'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column('workspace', sa.Column('stamp', sa.Text(), server_default='', nullable=False))
    workspace = sa.table('workspace', sa.column('stamp'))
    op.execute(workspace.update().values(stamp=str(uuid4())))


def downgrade() -> None:
    op.drop_column('workspace', 'stamp')
