"""who gets the lead: hours, absences and caps of users, weights, territories, offers, leads that wait

Revision: 0005
Follows: 0004
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = '0005'
down_revision = '0004'
branch_labels = None
depends_on = None

JSON = sa.JSON().with_variant(postgresql.JSONB(), 'postgresql')
KEY = sa.BigInteger().with_variant(sa.Integer(), 'sqlite')


def upgrade() -> None:
    op.create_table(
        'territory',
        sa.Column('key', sa.String(length=100), nullable=False),
        sa.Column('settings', JSON, nullable=False),
        sa.PrimaryKeyConstraint('key', name=op.f('pk_territory')),
    )
    op.create_table(
        'offer',
        sa.Column('id', KEY, nullable=False),
        sa.Column('lead_id', KEY, nullable=False),
        sa.Column('user_id', KEY, nullable=False),
        sa.Column(
            'state',
            sa.Enum('open', 'taken', 'withdrawn', 'expired', name='offerstate', native_enum=False, length=20),
            nullable=False,
        ),
        sa.Column('offered_at', sa.DateTime(timezone=True), nullable=False),
        sa.Column('expires_at', sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(['lead_id'], ['lead.id'], name=op.f('fk_offer_lead_id_lead')),
        sa.ForeignKeyConstraint(['user_id'], ['user_account.id'], name=op.f('fk_offer_user_id_user_account')),
        sa.PrimaryKeyConstraint('id', name=op.f('pk_offer')),
    )
    op.create_index('ix_offer_lead_id', 'offer', ['lead_id'])
    still_open = sa.text("state = 'open'")
    op.create_index(
        'ix_offer_expires_at', 'offer', ['expires_at'], postgresql_where=still_open, sqlite_where=still_open
    )
    with op.batch_alter_table('user_account') as batch_op:
        batch_op.add_column(sa.Column('daily', sa.Integer(), nullable=True))
        batch_op.add_column(sa.Column('calendar', sa.String(length=100), nullable=True))
        batch_op.add_column(sa.Column('absences', JSON, server_default='[]', nullable=False))
    with op.batch_alter_table('team') as batch_op:
        batch_op.add_column(sa.Column('calendar', sa.String(length=100), nullable=True))
    with op.batch_alter_table('rotation') as batch_op:
        batch_op.add_column(sa.Column('credits', JSON, server_default='{}', nullable=False))
    with op.batch_alter_table('lead') as batch_op:
        batch_op.add_column(sa.Column('wish', JSON, nullable=True))
        batch_op.add_column(sa.Column('waits', sa.Boolean(), server_default='0', nullable=False))
        batch_op.add_column(sa.Column('alarmed_at', sa.DateTime(timezone=True), nullable=True))


def downgrade() -> None:
    with op.batch_alter_table('lead') as batch_op:
        batch_op.drop_column('alarmed_at')
        batch_op.drop_column('waits')
        batch_op.drop_column('wish')
    with op.batch_alter_table('rotation') as batch_op:
        batch_op.drop_column('credits')
    with op.batch_alter_table('team') as batch_op:
        batch_op.drop_column('calendar')
    with op.batch_alter_table('user_account') as batch_op:
        batch_op.drop_column('absences')
        batch_op.drop_column('calendar')
        batch_op.drop_column('daily')
    op.drop_table('offer')
    op.drop_table('territory')
