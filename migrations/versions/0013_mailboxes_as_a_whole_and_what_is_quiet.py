"""mailboxes as a whole and what is quiet

Revision: 0013
Follows: 0012
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = '0013'
down_revision = '0012'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table('alert',
    sa.Column('id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=False),
    sa.Column('kind', sa.String(length=100), nullable=False),
    sa.Column('source_id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=False),
    sa.Column('words', sa.Text(), nullable=False),
    sa.Column('numbers', sa.JSON().with_variant(postgresql.JSONB(), "postgresql"), nullable=False),
    sa.Column('began_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('ended_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('told_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('open_key', sa.String(length=200), nullable=True),
    sa.ForeignKeyConstraint(['source_id'], ['source.id'], name=op.f('fk_alert_source_id_source')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_alert')),
    sa.UniqueConstraint('open_key', name=op.f('uq_alert_open_key'))
    )
    op.create_table('mailbox_message',
    sa.Column('source_id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=False),
    sa.Column('folder', sa.String(length=100), nullable=False),
    sa.Column('space', sa.BigInteger(), nullable=False),
    sa.Column('uid', sa.BigInteger(), nullable=False),
    sa.Column('event_id', sa.Uuid(as_uuid=False), nullable=False),
    sa.Column('to_do', sa.String(length=100), nullable=True),
    sa.ForeignKeyConstraint(['source_id'], ['source.id'], name=op.f('fk_mailbox_message_source_id_source')),
    sa.PrimaryKeyConstraint('source_id', 'folder', 'space', 'uid', name=op.f('pk_mailbox_message'))
    )
    with op.batch_alter_table('mailbox_message') as batch_op:
        batch_op.create_index('ix_mailbox_message_to_do', ['source_id', 'folder'], unique=False, postgresql_where=sa.text('to_do IS NOT NULL'), sqlite_where=sa.text('to_do IS NOT NULL'))

    op.create_table('source_hour',
    sa.Column('source_id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=False),
    sa.Column('hour', sa.DateTime(timezone=True), nullable=False),
    sa.Column('deliveries', sa.Integer(), nullable=False),
    sa.ForeignKeyConstraint(['source_id'], ['source.id'], name=op.f('fk_source_hour_source_id_source')),
    sa.PrimaryKeyConstraint('source_id', 'hour', name=op.f('pk_source_hour'))
    )
    op.create_table('watched_mailbox',
    sa.Column('source_id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=False),
    sa.Column('state', sa.String(length=100), nullable=False),
    sa.Column('error', sa.Text(), nullable=False),
    sa.Column('state_since', sa.DateTime(timezone=True), nullable=True),
    sa.Column('seen_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('last_message_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('wake_asked_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('reconcile_asked_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('token', sa.JSON().with_variant(postgresql.JSONB(), "postgresql"), nullable=False),
    sa.Column('token_expires_at', sa.DateTime(timezone=True), nullable=True),
    sa.ForeignKeyConstraint(['source_id'], ['source.id'], name=op.f('fk_watched_mailbox_source_id_source')),
    sa.PrimaryKeyConstraint('source_id', name=op.f('pk_watched_mailbox'))
    )
    with op.batch_alter_table('mailbox_position') as batch_op:
        batch_op.add_column(sa.Column('history_uid', sa.BigInteger(), server_default=sa.text('0'), nullable=False))
        batch_op.add_column(sa.Column('begins_at', sa.DateTime(timezone=True), nullable=True))
        batch_op.add_column(sa.Column('since', sa.String(length=100), nullable=True))
        batch_op.add_column(sa.Column('reconciled_at', sa.DateTime(timezone=True), nullable=True))
        batch_op.add_column(sa.Column('reconciliation', sa.JSON().with_variant(postgresql.JSONB(), "postgresql"), nullable=True))

    with op.batch_alter_table('source') as batch_op:
        batch_op.add_column(sa.Column('created_at', sa.DateTime(timezone=True), nullable=True))



def downgrade() -> None:
    with op.batch_alter_table('source') as batch_op:
        batch_op.drop_column('created_at')

    with op.batch_alter_table('mailbox_position') as batch_op:
        batch_op.drop_column('reconciliation')
        batch_op.drop_column('reconciled_at')
        batch_op.drop_column('since')
        batch_op.drop_column('begins_at')
        batch_op.drop_column('history_uid')

    op.drop_table('watched_mailbox')
    op.drop_table('source_hour')
    with op.batch_alter_table('mailbox_message') as batch_op:
        batch_op.drop_index('ix_mailbox_message_to_do', postgresql_where=sa.text('to_do IS NOT NULL'), sqlite_where=sa.text('to_do IS NOT NULL'))

    op.drop_table('mailbox_message')
    op.drop_table('alert')
