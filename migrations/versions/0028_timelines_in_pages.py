"""timelines in pages

Revision: 0028
Follows: 0027
"""

import sqlalchemy as sa
from alembic import op


revision = '0028'
down_revision = '0027'
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table('timeline_entry') as batch_op:
        batch_op.drop_index(batch_op.f('ix_timeline_entry_company_id_id'))
        batch_op.drop_index(batch_op.f('ix_timeline_entry_contact_id_id'))
        batch_op.drop_index(batch_op.f('ix_timeline_entry_deal_id_id'))
        batch_op.drop_index(batch_op.f('ix_timeline_entry_lead_id_id'))
        batch_op.create_index('ix_timeline_entry_company', ['company_id', 'id', 'kind', 'at', 'pinned'], unique=False)
        batch_op.create_index('ix_timeline_entry_contact', ['contact_id', 'id', 'kind', 'at', 'pinned'], unique=False)
        batch_op.create_index('ix_timeline_entry_deal', ['deal_id', 'id', 'kind', 'at', 'pinned'], unique=False)
        batch_op.create_index('ix_timeline_entry_lead', ['lead_id', 'id', 'kind', 'at', 'pinned'], unique=False)



def downgrade() -> None:
    with op.batch_alter_table('timeline_entry') as batch_op:
        batch_op.drop_index('ix_timeline_entry_lead')
        batch_op.drop_index('ix_timeline_entry_deal')
        batch_op.drop_index('ix_timeline_entry_contact')
        batch_op.drop_index('ix_timeline_entry_company')
        batch_op.create_index(batch_op.f('ix_timeline_entry_lead_id_id'), ['lead_id', 'id'], unique=False)
        batch_op.create_index(batch_op.f('ix_timeline_entry_deal_id_id'), ['deal_id', 'id'], unique=False)
        batch_op.create_index(batch_op.f('ix_timeline_entry_contact_id_id'), ['contact_id', 'id'], unique=False)
        batch_op.create_index(batch_op.f('ix_timeline_entry_company_id_id'), ['company_id', 'id'], unique=False)

