"""What a sales team means by lead, contact, activity: functions over a session that never open one."""
