list(APPEND sources base/cpu.c base/log.c base/memory.c base/status.c base/team.c)
