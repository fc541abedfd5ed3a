"""Campaigns, recalls, further actions, and the list beside a rule's form."""
