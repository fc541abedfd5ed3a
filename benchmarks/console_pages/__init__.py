"""Every page of the console at size: its server time, what axe says of it, and how soon a published rule is seen."""
