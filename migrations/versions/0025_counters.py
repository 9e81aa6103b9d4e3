"""counters

Revision: 0025
Follows: 0024
"""

import sqlalchemy as sa
from alembic import op


revision = '0025'
down_revision = '0024'
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table('activity') as batch_op:
        batch_op.create_index('ix_activity_planned_company_id', ['company_id', 'due_at'], unique=False, postgresql_where=sa.text("state = 'planned'"), sqlite_where=sa.text("state = 'planned'"))
        batch_op.create_index('ix_activity_planned_contact_id', ['contact_id', 'due_at'], unique=False, postgresql_where=sa.text("state = 'planned'"), sqlite_where=sa.text("state = 'planned'"))
        batch_op.create_index('ix_activity_planned_deal_id', ['deal_id', 'due_at'], unique=False, postgresql_where=sa.text("state = 'planned'"), sqlite_where=sa.text("state = 'planned'"))
        batch_op.create_index('ix_activity_planned_lead_id', ['lead_id', 'due_at'], unique=False, postgresql_where=sa.text("state = 'planned'"), sqlite_where=sa.text("state = 'planned'"))

    with op.batch_alter_table('contact') as batch_op:
        batch_op.add_column(sa.Column('waits_since', sa.DateTime(timezone=True), nullable=True))
        batch_op.create_index('ix_contact_waits', ['owner_id'], unique=False, postgresql_where=sa.text('waits_since IS NOT NULL'), sqlite_where=sa.text('waits_since IS NOT NULL'))

    with op.batch_alter_table('deal') as batch_op:
        batch_op.add_column(sa.Column('waits_since', sa.DateTime(timezone=True), nullable=True))
        batch_op.create_index('ix_deal_waits', ['owner_id'], unique=False, postgresql_where=sa.text('waits_since IS NOT NULL'), sqlite_where=sa.text('waits_since IS NOT NULL'))

    with op.batch_alter_table('lead') as batch_op:
        batch_op.create_index('ix_lead_unanswered', ['owner_id'], unique=False, postgresql_where=sa.text("status IN ('new', 'in_progress', 'converted') AND (status <> 'converted' OR last_inbound_at > closed_at) AND (last_outbound_at IS NULL OR last_inbound_at > last_outbound_at)"), sqlite_where=sa.text("status IN ('new', 'in_progress', 'converted') AND (status <> 'converted' OR last_inbound_at > closed_at) AND (last_outbound_at IS NULL OR last_inbound_at > last_outbound_at)"))



def downgrade() -> None:
    with op.batch_alter_table('lead') as batch_op:
        batch_op.drop_index('ix_lead_unanswered', postgresql_where=sa.text("status IN ('new', 'in_progress', 'converted') AND (status <> 'converted' OR last_inbound_at > closed_at) AND (last_outbound_at IS NULL OR last_inbound_at > last_outbound_at)"), sqlite_where=sa.text("status IN ('new', 'in_progress', 'converted') AND (status <> 'converted' OR last_inbound_at > closed_at) AND (last_outbound_at IS NULL OR last_inbound_at > last_outbound_at)"))

    with op.batch_alter_table('deal') as batch_op:
        batch_op.drop_index('ix_deal_waits', postgresql_where=sa.text('waits_since IS NOT NULL'), sqlite_where=sa.text('waits_since IS NOT NULL'))
        batch_op.drop_column('waits_since')

    with op.batch_alter_table('contact') as batch_op:
        batch_op.drop_index('ix_contact_waits', postgresql_where=sa.text('waits_since IS NOT NULL'), sqlite_where=sa.text('waits_since IS NOT NULL'))
        batch_op.drop_column('waits_since')

    with op.batch_alter_table('activity') as batch_op:
        batch_op.drop_index('ix_activity_planned_lead_id', postgresql_where=sa.text("state = 'planned'"), sqlite_where=sa.text("state = 'planned'"))
        batch_op.drop_index('ix_activity_planned_deal_id', postgresql_where=sa.text("state = 'planned'"), sqlite_where=sa.text("state = 'planned'"))
        batch_op.drop_index('ix_activity_planned_contact_id', postgresql_where=sa.text("state = 'planned'"), sqlite_where=sa.text("state = 'planned'"))
        batch_op.drop_index('ix_activity_planned_company_id', postgresql_where=sa.text("state = 'planned'"), sqlite_where=sa.text("state = 'planned'"))

