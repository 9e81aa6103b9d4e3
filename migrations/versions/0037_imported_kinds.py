"""imports of contacts, companies, deals and products

Revision: 0037
Follows: 0036
"""

import sqlalchemy as sa
from alembic import op

revision = '0037'
down_revision = '0036'
branch_labels = None
depends_on = None

KEY = sa.BigInteger().with_variant(sa.Integer(), 'sqlite')


def upgrade() -> None:
    op.add_column('import_job', sa.Column('what', sa.String(length=20), server_default='lead', nullable=False))
    op.add_column('import_row', sa.Column('element_id', KEY, nullable=True))
