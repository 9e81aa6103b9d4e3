"""activities as a whole

Revision: 0023
Follows: 0022
"""

import sqlalchemy as sa
from alembic import op


revision = '0023'
down_revision = '0022'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table('calendar_feed',
    sa.Column('id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=False),
    sa.Column('user_id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=False),
    sa.Column('token_hash', sa.String(length=64), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('revoked_at', sa.DateTime(timezone=True), nullable=True),
    sa.ForeignKeyConstraint(['user_id'], ['user_account.id'], name=op.f('fk_calendar_feed_user_id_user_account')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_calendar_feed')),
    sa.UniqueConstraint('token_hash', name=op.f('uq_calendar_feed_token_hash'))
    )
    with op.batch_alter_table('calendar_feed') as batch_op:
        batch_op.create_index(batch_op.f('ix_calendar_feed_user_id'), ['user_id'], unique=False)

    op.create_table('activity_participant',
    sa.Column('id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=False),
    sa.Column('activity_id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=False),
    sa.Column('user_id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=True),
    sa.Column('contact_id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=True),
    sa.Column('name', sa.Text(), nullable=False),
    sa.Column('email', sa.Text(), nullable=True),
    sa.ForeignKeyConstraint(['activity_id'], ['activity.id'], name=op.f('fk_activity_participant_activity_id_activity'), ondelete='CASCADE'),
    sa.ForeignKeyConstraint(['contact_id'], ['contact.id'], name=op.f('fk_activity_participant_contact_id_contact')),
    sa.ForeignKeyConstraint(['user_id'], ['user_account.id'], name=op.f('fk_activity_participant_user_id_user_account')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_activity_participant'))
    )
    with op.batch_alter_table('activity_participant') as batch_op:
        batch_op.create_index(batch_op.f('ix_activity_participant_activity_id'), ['activity_id'], unique=False)
        batch_op.create_index(batch_op.f('ix_activity_participant_contact_id'), ['contact_id'], unique=False)
        batch_op.create_index(batch_op.f('ix_activity_participant_user_id'), ['user_id'], unique=False)

    op.create_table('activity_reminder',
    sa.Column('id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=False),
    sa.Column('activity_id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=False),
    sa.Column('minutes', sa.Integer(), nullable=False),
    sa.Column('at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('told_at', sa.DateTime(timezone=True), nullable=True),
    sa.ForeignKeyConstraint(['activity_id'], ['activity.id'], name=op.f('fk_activity_reminder_activity_id_activity'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_activity_reminder'))
    )
    with op.batch_alter_table('activity_reminder') as batch_op:
        batch_op.create_index(batch_op.f('ix_activity_reminder_activity_id'), ['activity_id'], unique=False)
        batch_op.create_index('ix_activity_reminder_at', ['at'], unique=False, postgresql_where=sa.text('at IS NOT NULL'), sqlite_where=sa.text('at IS NOT NULL'))

    with op.batch_alter_table('activity') as batch_op:
        batch_op.add_column(sa.Column('minutes', sa.Integer(), nullable=True))
        batch_op.add_column(sa.Column('place', sa.Text(), server_default='', nullable=False))
        batch_op.add_column(sa.Column('note', sa.Text(), server_default='', nullable=False))
        batch_op.add_column(sa.Column('result', sa.Text(), server_default='', nullable=False))
        batch_op.add_column(sa.Column('updated_at', sa.DateTime(timezone=True), nullable=True))
        batch_op.add_column(sa.Column('recurrence', sa.String(length=500), nullable=True))
        batch_op.add_column(sa.Column('zone', sa.String(length=100), nullable=True))
        batch_op.add_column(sa.Column('series_id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=True))
        batch_op.add_column(sa.Column('series_start', sa.DateTime(timezone=True), nullable=True))
        batch_op.add_column(sa.Column('slot_at', sa.DateTime(timezone=True), nullable=True))
        batch_op.add_column(sa.Column('invites', sa.Boolean(), server_default=sa.text('false'), nullable=False))
        batch_op.add_column(sa.Column('sequence', sa.Integer(), server_default='0', nullable=False))
        batch_op.create_index(batch_op.f('ix_activity_series_id'), ['series_id'], unique=False)

    with op.batch_alter_table('message') as batch_op:
        batch_op.add_column(sa.Column('calendar', sa.Text(), server_default='', nullable=False))



def downgrade() -> None:
    with op.batch_alter_table('message') as batch_op:
        batch_op.drop_column('calendar')

    with op.batch_alter_table('activity') as batch_op:
        batch_op.drop_index(batch_op.f('ix_activity_series_id'))
        batch_op.drop_column('sequence')
        batch_op.drop_column('invites')
        batch_op.drop_column('slot_at')
        batch_op.drop_column('series_start')
        batch_op.drop_column('series_id')
        batch_op.drop_column('zone')
        batch_op.drop_column('recurrence')
        batch_op.drop_column('updated_at')
        batch_op.drop_column('result')
        batch_op.drop_column('note')
        batch_op.drop_column('place')
        batch_op.drop_column('minutes')

    with op.batch_alter_table('activity_reminder') as batch_op:
        batch_op.drop_index('ix_activity_reminder_at', postgresql_where=sa.text('at IS NOT NULL'), sqlite_where=sa.text('at IS NOT NULL'))
        batch_op.drop_index(batch_op.f('ix_activity_reminder_activity_id'))

    op.drop_table('activity_reminder')
    with op.batch_alter_table('activity_participant') as batch_op:
        batch_op.drop_index(batch_op.f('ix_activity_participant_user_id'))
        batch_op.drop_index(batch_op.f('ix_activity_participant_contact_id'))
        batch_op.drop_index(batch_op.f('ix_activity_participant_activity_id'))

    op.drop_table('activity_participant')
    with op.batch_alter_table('calendar_feed') as batch_op:
        batch_op.drop_index(batch_op.f('ix_calendar_feed_user_id'))

    op.drop_table('calendar_feed')
