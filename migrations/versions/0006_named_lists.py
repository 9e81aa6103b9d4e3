"""named lists: values that conditions ask for

Revision: 0006
Follows: 0005
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = '0006'
down_revision = '0005'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        'named_list',
        sa.Column('key', sa.String(length=100), nullable=False),
        sa.Column('settings', sa.JSON().with_variant(postgresql.JSONB(), 'postgresql'), nullable=False),
        sa.PrimaryKeyConstraint('key', name=op.f('pk_named_list')),
    )


def downgrade() -> None:
    op.drop_table('named_list')
