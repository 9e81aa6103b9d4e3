"""when leads are given: a day's share counts from then

Revision: 0008
Follows: 0007
"""

import sqlalchemy as sa
from alembic import op

revision = '0008'
down_revision = '0007'
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table('lead') as batch_op:
        batch_op.add_column(sa.Column('given_at', sa.DateTime(timezone=True), nullable=True))
    op.execute('UPDATE lead SET given_at = created_at WHERE owner_id IS NOT NULL')


def downgrade() -> None:
    with op.batch_alter_table('lead') as batch_op:
        batch_op.drop_column('given_at')
