"""calls that we place

Revision: 0014
Follows: 0013
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = '0014'
down_revision = '0013'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table('call_order',
    sa.Column('id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=False),
    sa.Column('token', sa.String(length=100), nullable=False),
    sa.Column('request_key', sa.String(length=64), nullable=True),
    sa.Column('request_content', sa.String(length=64), nullable=True),
    sa.Column('source_id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=False),
    sa.Column('call_id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=False),
    sa.Column('user_id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=False),
    sa.Column('agent_number', sa.String(length=100), nullable=True),
    sa.Column('client_number', sa.String(length=100), nullable=False),
    sa.Column('line_number', sa.String(length=100), nullable=True),
    sa.Column('activity_id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=True),
    sa.Column('actor', sa.Text(), nullable=False),
    sa.Column('handle', sa.String(length=500), nullable=True),
    sa.Column('outcome', sa.String(length=100), nullable=True),
    sa.Column('completed', sa.JSON().with_variant(postgresql.JSONB(), "postgresql"), nullable=False),
    sa.Column('tell_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.ForeignKeyConstraint(['activity_id'], ['activity.id'], name=op.f('fk_call_order_activity_id_activity')),
    sa.ForeignKeyConstraint(['call_id'], ['call.id'], name=op.f('fk_call_order_call_id_call')),
    sa.ForeignKeyConstraint(['source_id'], ['source.id'], name=op.f('fk_call_order_source_id_source')),
    sa.ForeignKeyConstraint(['user_id'], ['user_account.id'], name=op.f('fk_call_order_user_id_user_account')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_call_order')),
    sa.UniqueConstraint('call_id', name=op.f('uq_call_order_call_id')),
    sa.UniqueConstraint('request_key', name=op.f('uq_call_order_request_key')),
    sa.UniqueConstraint('token', name=op.f('uq_call_order_token'))
    )
    with op.batch_alter_table('call_order') as batch_op:
        batch_op.create_index(batch_op.f('ix_call_order_client_number'), ['client_number'], unique=False)
        batch_op.create_index('ix_call_order_untold', ['tell_at'], unique=False, postgresql_where=sa.text('tell_at IS NOT NULL'), sqlite_where=sa.text('tell_at IS NOT NULL'))
        batch_op.create_index(batch_op.f('ix_call_order_user_id'), ['user_id'], unique=False)

    op.create_table('call_command',
    sa.Column('id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=False),
    sa.Column('order_id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=False),
    sa.Column('kind', sa.String(length=100), nullable=False),
    sa.Column('state', sa.Enum('waiting', 'running', 'done', 'failed', 'unknown', name='commandstate', native_enum=False, length=20), nullable=False),
    sa.Column('due_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('tries', sa.Integer(), nullable=False),
    sa.Column('error', sa.Text(), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('ended_at', sa.DateTime(timezone=True), nullable=True),
    sa.ForeignKeyConstraint(['order_id'], ['call_order.id'], name=op.f('fk_call_command_order_id_call_order'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_call_command')),
    sa.UniqueConstraint('order_id', 'kind', name=op.f('uq_call_command_order_id_kind'))
    )
    with op.batch_alter_table('call_command') as batch_op:
        batch_op.create_index('ix_call_command_due', ['due_at'], unique=False, postgresql_where=sa.text('due_at IS NOT NULL'), sqlite_where=sa.text('due_at IS NOT NULL'))



def downgrade() -> None:
    with op.batch_alter_table('call_command') as batch_op:
        batch_op.drop_index('ix_call_command_due', postgresql_where=sa.text('due_at IS NOT NULL'), sqlite_where=sa.text('due_at IS NOT NULL'))

    op.drop_table('call_command')
    with op.batch_alter_table('call_order') as batch_op:
        batch_op.drop_index(batch_op.f('ix_call_order_user_id'))
        batch_op.drop_index('ix_call_order_untold', postgresql_where=sa.text('tell_at IS NOT NULL'), sqlite_where=sa.text('tell_at IS NOT NULL'))
        batch_op.drop_index(batch_op.f('ix_call_order_client_number'))

    op.drop_table('call_order')
