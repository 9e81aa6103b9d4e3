"""the campaign of a lead in a column of its own, and in the index that reports read

Revision: 0042
Follows: 0041
"""

import sqlalchemy as sa
from alembic import op

revision = '0042'
down_revision = '0041'
branch_labels = None
depends_on = None

_CAME = ['created_at', 'id', 'status', 'channel', 'source_id', 'owner_id', 'first_response_at', 'in_time']


def upgrade() -> None:
    op.add_column('lead', sa.Column('campaign', sa.Text(), nullable=True))
    named = {
        'postgresql': "attribution ->> 'utm_campaign'",
        'sqlite': "json_extract(attribution, '$.utm_campaign')",
    }[op.get_bind().dialect.name]
    op.execute(f"UPDATE lead SET campaign = substr({named}, 1, 200) WHERE {named} <> ''")  # noqa: S608
    op.drop_index('ix_lead_came', 'lead')
    op.create_index('ix_lead_came', 'lead', [*_CAME, 'campaign'])


def downgrade() -> None:
    op.drop_index('ix_lead_came', 'lead')
    op.create_index('ix_lead_came', 'lead', _CAME)
    op.drop_column('lead', 'campaign')
