"""what was found in mails

Revision: 0017
Follows: 0016
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = '0017'
down_revision = '0016'
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table('lead') as batch_op:
        batch_op.add_column(sa.Column('found', sa.JSON().with_variant(postgresql.JSONB(), "postgresql"), nullable=True))



def downgrade() -> None:
    with op.batch_alter_table('lead') as batch_op:
        batch_op.drop_column('found')

