"""duplicate pairs

Revision: 0029
Follows: 0028
"""

import sqlalchemy as sa
from alembic import op

revision = '0029'
down_revision = '0028'
branch_labels = None
depends_on = None

KEY = sa.BigInteger().with_variant(sa.Integer(), 'sqlite')


def upgrade() -> None:
    op.create_table('duplicate_pair',
    sa.Column('id', KEY, nullable=False),
    sa.Column('kind', sa.String(length=100), nullable=False),
    sa.Column('first_id', KEY, nullable=False),
    sa.Column('second_id', KEY, nullable=False),
    sa.Column('score', sa.Integer(), nullable=False),
    sa.Column('why', sa.Text(), nullable=False),
    sa.Column('state', sa.Enum('open', 'dismissed', 'merged', name='pairstate', native_enum=False, length=20), nullable=False),
    sa.Column('found_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('decided_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('decided_by', sa.Text(), nullable=True),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_duplicate_pair')),
    sa.UniqueConstraint('kind', 'first_id', 'second_id', name=op.f('uq_duplicate_pair_kind_first_id_second_id'))
    )
    with op.batch_alter_table('duplicate_pair') as batch_op:
        batch_op.create_index('ix_duplicate_pair_state_id', ['state', 'id'], unique=False)
        batch_op.create_index('ix_duplicate_pair_kind_second_id', ['kind', 'second_id'], unique=False)
    op.create_table('duplicate_sweep',
    sa.Column('kind', sa.String(length=100), nullable=False),
    sa.Column('last_id', KEY, nullable=False),
    sa.Column('round_id', KEY, nullable=True),
    sa.Column('since', sa.DateTime(timezone=True), nullable=False),
    sa.Column('began_at', sa.DateTime(timezone=True), nullable=False),
    sa.PrimaryKeyConstraint('kind', name=op.f('pk_duplicate_sweep'))
    )


def downgrade() -> None:
    op.drop_table('duplicate_sweep')
    op.drop_table('duplicate_pair')
