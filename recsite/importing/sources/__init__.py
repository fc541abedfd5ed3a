"""The importers, one file each; ``recsite.importing.formats`` finds every module in here."""
