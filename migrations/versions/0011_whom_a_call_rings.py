"""whom a call rings

Revision: 0011
Follows: 0010
"""

import sqlalchemy as sa
from alembic import op

revision = '0011'
down_revision = '0010'
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table('call') as batch_op:
        batch_op.add_column(sa.Column('rung_user_id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=True))
        batch_op.add_column(sa.Column('rung_number', sa.String(length=100), nullable=True))
        batch_op.add_column(sa.Column('rung_why', sa.Text(), nullable=True))
        batch_op.add_column(sa.Column('rung_at', sa.DateTime(timezone=True), nullable=True))
        batch_op.create_index('ix_call_rung_user_id_rung_at', ['rung_user_id', 'rung_at'], unique=False)
        batch_op.create_foreign_key(batch_op.f('fk_call_rung_user_id_user_account'), 'user_account', ['rung_user_id'], ['id'])


def downgrade() -> None:
    with op.batch_alter_table('call') as batch_op:
        batch_op.drop_constraint(batch_op.f('fk_call_rung_user_id_user_account'), type_='foreignkey')
        batch_op.drop_index('ix_call_rung_user_id_rung_at')
        batch_op.drop_column('rung_at')
        batch_op.drop_column('rung_why')
        batch_op.drop_column('rung_number')
        batch_op.drop_column('rung_user_id')
