"""leads answered in time, and one index with all that reports on leads ask for

Revision: 0039
Follows: 0038
"""

import sqlalchemy as sa
from alembic import op

revision = '0039'
down_revision = '0038'
branch_labels = None
depends_on = None

_CAME = ['created_at', 'id', 'status', 'channel', 'source_id', 'owner_id', 'first_response_at', 'in_time']


def upgrade() -> None:
    op.add_column('lead', sa.Column('in_time', sa.Boolean(), nullable=True))
    # Also on a lead that was closed unanswered after its time was up.
    op.execute(
        "UPDATE lead SET in_time = (SELECT state = 'met' FROM sla_clock WHERE lead_id = lead.id)"
        " WHERE id IN (SELECT lead_id FROM sla_clock WHERE state IN ('met', 'late') OR breached_at IS NOT NULL)"
    )
    op.create_index('ix_lead_came', 'lead', _CAME)
    op.drop_index('ix_lead_created_at', 'lead')


def downgrade() -> None:
    op.create_index('ix_lead_created_at', 'lead', ['created_at'])
    op.drop_index('ix_lead_came', 'lead')
    op.drop_column('lead', 'in_time')
