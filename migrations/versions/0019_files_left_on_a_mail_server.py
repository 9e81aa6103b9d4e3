"""files left on a mail server

Revision: 0019
Follows: 0018
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = '0019'
down_revision = '0018'
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table('attachment') as batch_op:
        batch_op.add_column(sa.Column('left', sa.JSON().with_variant(postgresql.JSONB(), "postgresql"), nullable=True))
        batch_op.add_column(sa.Column('fetch_at', sa.DateTime(timezone=True), nullable=True))
        batch_op.add_column(sa.Column('fetch_tries', sa.Integer(), server_default=sa.text('0'), nullable=False))
        batch_op.create_index('ix_attachment_to_be_fetched', ['fetch_at'], unique=False, postgresql_where=sa.text('fetch_at IS NOT NULL'), sqlite_where=sa.text('fetch_at IS NOT NULL'))


def downgrade() -> None:
    with op.batch_alter_table('attachment') as batch_op:
        batch_op.drop_index('ix_attachment_to_be_fetched')
        batch_op.drop_column('fetch_tries')
        batch_op.drop_column('fetch_at')
        batch_op.drop_column('left')
