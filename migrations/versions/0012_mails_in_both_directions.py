"""mails in both directions

Revision: 0012
Follows: 0011
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = '0012'
down_revision = '0011'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table('message',
    sa.Column('id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=False),
    sa.Column('direction', sa.Enum('in', 'out', name='direction', native_enum=False, length=20), nullable=False),
    sa.Column('state', sa.Enum('queued', 'sending', 'sent', 'failed', 'bounced', 'received', name='messagestate', native_enum=False, length=20), nullable=False),
    sa.Column('effect_key', sa.String(length=200), nullable=False),
    sa.Column('token', sa.String(length=32), nullable=True),
    sa.Column('message_id', sa.String(length=500), nullable=False),
    sa.Column('in_reply_to', sa.String(length=500), nullable=False),
    sa.Column('references', sa.JSON().with_variant(postgresql.JSONB(), "postgresql"), nullable=False),
    sa.Column('thread', sa.String(length=64), nullable=False),
    sa.Column('mailbox', sa.String(length=100), nullable=True),
    sa.Column('from_name', sa.Text(), nullable=False),
    sa.Column('from_address', sa.Text(), nullable=False),
    sa.Column('to_address', sa.Text(), nullable=False),
    sa.Column('cc', sa.JSON().with_variant(postgresql.JSONB(), "postgresql"), nullable=False),
    sa.Column('subject', sa.Text(), nullable=False),
    sa.Column('text', sa.Text(), nullable=False),
    sa.Column('html', sa.Text(), nullable=False),
    sa.Column('automatic', sa.Boolean(), nullable=False),
    sa.Column('error', sa.Text(), nullable=False),
    sa.Column('due_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('attempts', sa.Integer(), nullable=False),
    sa.Column('lease_until', sa.DateTime(timezone=True), nullable=True),
    sa.Column('file_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('file_tries', sa.Integer(), nullable=False),
    sa.Column('lead_id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=True),
    sa.Column('contact_id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=True),
    sa.Column('deal_id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=True),
    sa.Column('user_id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=True),
    sa.Column('actor', sa.Text(), nullable=False),
    sa.Column('step_id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=True),
    sa.Column('event_id', sa.Uuid(as_uuid=False), nullable=True),
    sa.Column('files_id', sa.Uuid(as_uuid=False), nullable=True),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('sent_at', sa.DateTime(timezone=True), nullable=True),
    sa.ForeignKeyConstraint(['contact_id'], ['contact.id'], name=op.f('fk_message_contact_id_contact')),
    sa.ForeignKeyConstraint(['deal_id'], ['deal.id'], name=op.f('fk_message_deal_id_deal')),
    sa.ForeignKeyConstraint(['lead_id'], ['lead.id'], name=op.f('fk_message_lead_id_lead')),
    sa.ForeignKeyConstraint(['user_id'], ['user_account.id'], name=op.f('fk_message_user_id_user_account')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_message')),
    sa.UniqueConstraint('direction', 'effect_key', name=op.f('uq_message_direction_effect_key')),
    sa.UniqueConstraint('token', name=op.f('uq_message_token'))
    )
    with op.batch_alter_table('message') as batch_op:
        batch_op.create_index('ix_message_due', ['due_at'], unique=False, postgresql_where=sa.text("state in ('queued', 'sending')"), sqlite_where=sa.text("state in ('queued', 'sending')"))
        batch_op.create_index(batch_op.f('ix_message_contact_id'), ['contact_id'], unique=False)
        batch_op.create_index(batch_op.f('ix_message_deal_id'), ['deal_id'], unique=False)
        batch_op.create_index(batch_op.f('ix_message_from_address'), ['from_address'], unique=False)
        batch_op.create_index(batch_op.f('ix_message_lead_id'), ['lead_id'], unique=False)
        batch_op.create_index(batch_op.f('ix_message_message_id'), ['message_id'], unique=False)
        batch_op.create_index(batch_op.f('ix_message_step_id'), ['step_id'], unique=False)
        batch_op.create_index(batch_op.f('ix_message_thread'), ['thread'], unique=False)
        batch_op.create_index('ix_message_to_address_created_at', ['to_address', 'created_at'], unique=False)
        batch_op.create_index('ix_message_to_be_filed', ['file_at'], unique=False, postgresql_where=sa.text('file_at IS NOT NULL'), sqlite_where=sa.text('file_at IS NOT NULL'))

    with op.batch_alter_table('contact_point') as batch_op:
        batch_op.add_column(sa.Column('bounced_at', sa.DateTime(timezone=True), nullable=True))
        batch_op.add_column(sa.Column('bounce_reason', sa.Text(), nullable=True))
        batch_op.add_column(sa.Column('unsubscribed_at', sa.DateTime(timezone=True), nullable=True))

    with op.batch_alter_table('lead') as batch_op:
        batch_op.add_column(sa.Column('last_outbound_at', sa.DateTime(timezone=True), nullable=True))

    # What was noted until now of people of ours who turned to a lead.
    op.execute('UPDATE lead SET last_outbound_at = first_response_at')


def downgrade() -> None:
    with op.batch_alter_table('lead') as batch_op:
        batch_op.drop_column('last_outbound_at')

    with op.batch_alter_table('contact_point') as batch_op:
        batch_op.drop_column('unsubscribed_at')
        batch_op.drop_column('bounce_reason')
        batch_op.drop_column('bounced_at')

    with op.batch_alter_table('message') as batch_op:
        batch_op.drop_index('ix_message_to_be_filed', postgresql_where=sa.text('file_at IS NOT NULL'), sqlite_where=sa.text('file_at IS NOT NULL'))
        batch_op.drop_index('ix_message_to_address_created_at')
        batch_op.drop_index(batch_op.f('ix_message_thread'))
        batch_op.drop_index(batch_op.f('ix_message_step_id'))
        batch_op.drop_index(batch_op.f('ix_message_message_id'))
        batch_op.drop_index(batch_op.f('ix_message_lead_id'))
        batch_op.drop_index(batch_op.f('ix_message_from_address'))
        batch_op.drop_index(batch_op.f('ix_message_deal_id'))
        batch_op.drop_index(batch_op.f('ix_message_contact_id'))
        batch_op.drop_index('ix_message_due', postgresql_where=sa.text("state in ('queued', 'sending')"), sqlite_where=sa.text("state in ('queued', 'sending')"))

    op.drop_table('message')
