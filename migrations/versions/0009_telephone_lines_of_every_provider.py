"""telephone lines of every provider

Revision: 0009
Follows: 0008
"""

import sqlalchemy as sa
from alembic import op

revision = '0009'
down_revision = '0008'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table('recording',
    sa.Column('id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=False),
    sa.Column('call_id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=False),
    sa.Column('said', sa.String(length=2000), nullable=False),
    sa.Column('state', sa.Enum('waiting', 'kept', 'failed', 'forgotten', name='recordingstate', native_enum=False, length=20), nullable=False),
    sa.Column('due_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('tries', sa.Integer(), nullable=False),
    sa.Column('error', sa.Text(), nullable=False),
    sa.Column('place', sa.Text(), nullable=False),
    sa.Column('kind', sa.String(length=100), nullable=False),
    sa.Column('size', sa.BigInteger(), nullable=False),
    sa.Column('kept_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.ForeignKeyConstraint(['call_id'], ['call.id'], name=op.f('fk_recording_call_id_call'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_recording')),
    sa.UniqueConstraint('call_id', 'said', name=op.f('uq_recording_call_id_said'))
    )
    with op.batch_alter_table('recording') as batch_op:
        batch_op.create_index('ix_recording_waiting', ['due_at'], unique=False, postgresql_where=sa.text("state = 'waiting'"), sqlite_where=sa.text("state = 'waiting'"))

    with op.batch_alter_table('call') as batch_op:
        batch_op.add_column(sa.Column('group_id', sa.String(length=200), nullable=True))
        batch_op.add_column(sa.Column('answered_by', sa.Text(), nullable=True))
        batch_op.add_column(sa.Column('user_id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=True))
        batch_op.add_column(sa.Column('transcript', sa.Text(), nullable=True))
        batch_op.add_column(sa.Column('closed_reason', sa.Text(), nullable=True))
        batch_op.add_column(sa.Column('heard_at', sa.DateTime(timezone=True), nullable=True))

    op.execute('UPDATE "call" SET group_id = provider_call_id, heard_at = created_at')
    with op.batch_alter_table('call') as batch_op:
        batch_op.alter_column('group_id', existing_type=sa.String(length=200), nullable=False)
        batch_op.alter_column('heard_at', existing_type=sa.DateTime(timezone=True), nullable=False)
        batch_op.drop_constraint(batch_op.f('uq_call_source_id_provider_call_id'), type_='unique')
        batch_op.create_index(batch_op.f('ix_call_provider_call_id'), ['provider_call_id'], unique=False)
        batch_op.create_index('ix_call_under_way', ['heard_at'], unique=False, postgresql_where=sa.text('result IS NULL'), sqlite_where=sa.text('result IS NULL'))
        batch_op.create_unique_constraint(batch_op.f('uq_call_source_id_group_id'), ['source_id', 'group_id'])
        batch_op.create_foreign_key(batch_op.f('fk_call_user_id_user_account'), 'user_account', ['user_id'], ['id'])

    with op.batch_alter_table('user_account') as batch_op:
        batch_op.add_column(sa.Column('phone', sa.String(length=20), nullable=True))
        batch_op.add_column(sa.Column('extension', sa.String(length=100), nullable=True))



def downgrade() -> None:
    with op.batch_alter_table('user_account') as batch_op:
        batch_op.drop_column('extension')
        batch_op.drop_column('phone')

    with op.batch_alter_table('call') as batch_op:
        batch_op.drop_constraint(batch_op.f('fk_call_user_id_user_account'), type_='foreignkey')
        batch_op.drop_constraint(batch_op.f('uq_call_source_id_group_id'), type_='unique')
        batch_op.drop_index('ix_call_under_way', postgresql_where=sa.text('result IS NULL'), sqlite_where=sa.text('result IS NULL'))
        batch_op.drop_index(batch_op.f('ix_call_provider_call_id'))
        batch_op.create_unique_constraint(batch_op.f('uq_call_source_id_provider_call_id'), ['source_id', 'provider_call_id'])
        batch_op.drop_column('heard_at')
        batch_op.drop_column('closed_reason')
        batch_op.drop_column('transcript')
        batch_op.drop_column('user_id')
        batch_op.drop_column('answered_by')
        batch_op.drop_column('group_id')

    with op.batch_alter_table('recording') as batch_op:
        batch_op.drop_index('ix_recording_waiting', postgresql_where=sa.text("state = 'waiting'"), sqlite_where=sa.text("state = 'waiting'"))

    op.drop_table('recording')
