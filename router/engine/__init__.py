"""Pure decisions: the rules file, the ledger, matching, rendering, planning. No I/O, no clock."""
