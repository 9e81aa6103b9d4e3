"""notifications and storms

Revision: 0027
Follows: 0026
"""

import sqlalchemy as sa
from alembic import op

revision = '0027'
down_revision = '0026'
branch_labels = None
depends_on = None

KEY = sa.BigInteger().with_variant(sa.Integer(), 'sqlite')


def _about(table: str) -> list[sa.Column | sa.ForeignKeyConstraint]:
    names = ('lead', 'deal', 'contact')
    return [
        *(sa.Column(f'{name}_id', KEY, nullable=True) for name in names),
        *(sa.ForeignKeyConstraint([f'{name}_id'], [f'{name}.id'], name=op.f(f'fk_{table}_{name}_id_{name}')) for name in names),
    ]


def upgrade() -> None:
    op.create_table('notification',
    sa.Column('id', KEY, nullable=False),
    sa.Column('user_id', KEY, nullable=False),
    sa.Column('effect_key', sa.String(length=200), nullable=False),
    sa.Column('at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('text', sa.Text(), nullable=False),
    sa.Column('actor', sa.Text(), nullable=False),
    *_about('notification'),
    sa.Column('read_at', sa.DateTime(timezone=True), nullable=True),
    sa.ForeignKeyConstraint(['user_id'], ['user_account.id'], name=op.f('fk_notification_user_id_user_account')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_notification')),
    sa.UniqueConstraint('user_id', 'effect_key', name=op.f('uq_notification_user_id_effect_key'))
    )
    unread = sa.text('read_at IS NULL')
    with op.batch_alter_table('notification') as batch_op:
        for column in ('at', 'lead_id', 'deal_id', 'contact_id'):
            batch_op.create_index(batch_op.f(f'ix_notification_{column}'), [column], unique=False)
        batch_op.create_index('ix_notification_user_id_id', ['user_id', 'id'], unique=False)
        batch_op.create_index('ix_notification_unread', ['user_id'], unique=False, postgresql_where=unread, sqlite_where=unread)

    op.create_table('storm',
    sa.Column('id', KEY, nullable=False),
    sa.Column('rule', sa.Text(), nullable=False),
    sa.Column('runs', sa.Integer(), nullable=False),
    *_about('storm'),
    sa.Column('began_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('resumed_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('resumed_by', sa.Text(), nullable=True),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_storm'))
    )
    with op.batch_alter_table('storm') as batch_op:
        for column in ('lead_id', 'deal_id', 'contact_id'):
            batch_op.create_index(batch_op.f(f'ix_storm_{column}'), [column], unique=False)
        batch_op.create_index('ix_storm_rule_began_at', ['rule', 'began_at'], unique=False)


def downgrade() -> None:
    op.drop_table('storm')
    op.drop_table('notification')
