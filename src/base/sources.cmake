list(APPEND sources base/budget.c base/cpu.c base/log.c base/memory.c base/names.c base/status.c base/team.c base/text.c)
