"""What people and programs are told of: events, who hears of them, and when it is tried again."""
