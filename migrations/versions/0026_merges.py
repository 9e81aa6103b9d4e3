"""merges

Revision: 0026
Follows: 0025
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = '0026'
down_revision = '0025'
branch_labels = None
depends_on = None

JSON = sa.JSON().with_variant(postgresql.JSONB(), 'postgresql')
KEY = sa.BigInteger().with_variant(sa.Integer(), 'sqlite')


def upgrade() -> None:
    op.create_table('merge',
    sa.Column('id', KEY, nullable=False),
    sa.Column('kind', sa.String(length=100), nullable=False),
    sa.Column('survivor_id', KEY, nullable=False),
    sa.Column('merged_id', KEY, nullable=False),
    sa.Column('by', sa.Text(), nullable=False),
    sa.Column('why', sa.Text(), nullable=False),
    sa.Column('at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('changed', JSON, nullable=False),
    sa.Column('gone', JSON, nullable=False),
    sa.Column('moved', JSON, nullable=False),
    sa.Column('undone_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('undone_by', sa.Text(), nullable=True),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_merge'))
    )
    with op.batch_alter_table('merge') as batch_op:
        batch_op.create_index('ix_merge_kind_survivor_id', ['kind', 'survivor_id'], unique=False)
        batch_op.create_index('ix_merge_kind_merged_id', ['kind', 'merged_id'], unique=False)


def downgrade() -> None:
    op.drop_table('merge')
