"""The quality of what a site sends: counted while it is collected, read by the admin and ``manage.py doctor``."""
