/* An agent in a guest, and one who says what became of it. */
#pragma once

/* As agent_main(), for struct spawn_args; what kills the agent is told to the controller. */
int watch_agent(int ctl_fd);
