"""feed and webhooks

Revision: 0018
Follows: 0017
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = '0018'
down_revision = '0017'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table('domain_event',
    sa.Column('id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=False),
    sa.Column('event_id', sa.Uuid(as_uuid=False), nullable=False),
    sa.Column('at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('kind', sa.String(length=100), nullable=False),
    sa.Column('lead_id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=True),
    sa.Column('data', sa.JSON().with_variant(postgresql.JSONB(), "postgresql"), nullable=False),
    sa.Column('position', sa.BigInteger(), nullable=True),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_domain_event')),
    sa.UniqueConstraint('position', name=op.f('uq_domain_event_position'))
    )
    with op.batch_alter_table('domain_event') as batch_op:
        batch_op.create_index(batch_op.f('ix_domain_event_lead_id'), ['lead_id'], unique=False)
        batch_op.create_index('ix_domain_event_unplaced', ['id'], unique=False, postgresql_where=sa.text('position IS NULL'), sqlite_where=sa.text('position IS NULL'))

    op.create_table('feed_end',
    sa.Column('id', sa.Integer(), autoincrement=False, nullable=False),
    sa.Column('position', sa.BigInteger(), nullable=False),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_feed_end'))
    )
    op.create_table('webhook_delivery',
    sa.Column('id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=False),
    sa.Column('endpoint', sa.String(length=100), nullable=False),
    sa.Column('event_id', sa.Uuid(as_uuid=False), nullable=False),
    sa.Column('kind', sa.String(length=100), nullable=False),
    sa.Column('lead_id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=True),
    sa.Column('body', sa.Text(), nullable=False),
    sa.Column('state', sa.Enum('waiting', 'done', 'dead', name='deliverystate', native_enum=False, length=20), nullable=False),
    sa.Column('attempts', sa.Integer(), nullable=False),
    sa.Column('due_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('result', sa.Text(), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('ended_at', sa.DateTime(timezone=True), nullable=True),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_webhook_delivery'))
    )
    with op.batch_alter_table('webhook_delivery') as batch_op:
        batch_op.create_index('ix_webhook_delivery_due', ['due_at'], unique=False, postgresql_where=sa.text("state = 'waiting'"), sqlite_where=sa.text("state = 'waiting'"))
        batch_op.create_index('ix_webhook_delivery_endpoint_state_id', ['endpoint', 'state', 'id'], unique=False)
        batch_op.create_index(batch_op.f('ix_webhook_delivery_lead_id'), ['lead_id'], unique=False)

    op.create_table('webhook_endpoint',
    sa.Column('key', sa.String(length=100), nullable=False),
    sa.Column('failing_since', sa.DateTime(timezone=True), nullable=True),
    sa.Column('disabled_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('reason', sa.Text(), nullable=False),
    sa.PrimaryKeyConstraint('key', name=op.f('pk_webhook_endpoint'))
    )
    with op.batch_alter_table('workspace') as batch_op:
        batch_op.add_column(sa.Column('webhooks', sa.JSON().with_variant(postgresql.JSONB(), "postgresql"), server_default='[]', nullable=False))



def downgrade() -> None:
    with op.batch_alter_table('workspace') as batch_op:
        batch_op.drop_column('webhooks')

    op.drop_table('webhook_endpoint')
    with op.batch_alter_table('webhook_delivery') as batch_op:
        batch_op.drop_index(batch_op.f('ix_webhook_delivery_lead_id'))
        batch_op.drop_index('ix_webhook_delivery_endpoint_state_id')
        batch_op.drop_index('ix_webhook_delivery_due', postgresql_where=sa.text("state = 'waiting'"), sqlite_where=sa.text("state = 'waiting'"))

    op.drop_table('webhook_delivery')
    op.drop_table('feed_end')
    with op.batch_alter_table('domain_event') as batch_op:
        batch_op.drop_index('ix_domain_event_unplaced', postgresql_where=sa.text('position IS NULL'), sqlite_where=sa.text('position IS NULL'))
        batch_op.drop_index(batch_op.f('ix_domain_event_lead_id'))

    op.drop_table('domain_event')
