"""From the bytes of a log, however it is packed and ordered, to rows and entries in order of time."""
