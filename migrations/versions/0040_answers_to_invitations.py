"""what somebody has answered to an invitation

Revision: 0040
Follows: 0039
"""

import sqlalchemy as sa
from alembic import op

revision = '0040'
down_revision = '0039'
branch_labels = None
depends_on = None


def upgrade() -> None:
    answers = sa.Enum('accepted', 'declined', 'tentative', native_enum=False, length=20, name='participantanswer')
    op.add_column('activity_participant', sa.Column('answer', answers, nullable=True))
    op.add_column('activity_participant', sa.Column('answered_at', sa.DateTime(timezone=True), nullable=True))


def downgrade() -> None:
    op.drop_column('activity_participant', 'answered_at')
    op.drop_column('activity_participant', 'answer')
