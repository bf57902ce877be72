"""One model of a running lab that changes: what was read of it comes in, what happened comes out. Pure, no clock."""
