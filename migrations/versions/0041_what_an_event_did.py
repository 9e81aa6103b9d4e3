"""what an event did already, found without reading every timeline

Revision: 0041
Follows: 0040
"""

import sqlalchemy as sa
from alembic import op

revision = '0041'
down_revision = '0040'
branch_labels = None
depends_on = None

NAMED = sa.text('event_id IS NOT NULL')


def upgrade() -> None:
    op.create_index(
        'ix_timeline_entry_event_id',
        'timeline_entry',
        ['event_id'],
        unique=False,
        postgresql_where=NAMED,
        sqlite_where=NAMED,
    )


def downgrade() -> None:
    op.drop_index('ix_timeline_entry_event_id', table_name='timeline_entry')
