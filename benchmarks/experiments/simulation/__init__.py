"""Simulated shops: visitors who come, click, and buy today or later, one by one, and two arms to put them into."""
