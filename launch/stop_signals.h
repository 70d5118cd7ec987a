// SIGTERM and SIGUSR1 as a wish to stop: batch systems send them before they take a node away.
//
// The signal only sets a flag; the training loop looks at it once a step, agrees with the other
// ranks, saves, and ends with exit code 75. The flag is the one piece of global state in Langevin:
// a signal handler can reach nothing else.
#ifndef LANGEVIN_LAUNCH_STOP_SIGNALS_H_
#define LANGEVIN_LAUNCH_STOP_SIGNALS_H_

namespace langevin::launch {

// Called once, before MPI starts, by the subcommands that ask StopRequested. All others have
// nothing to save: the signals end them.
void InstallStopSignalHandlers();

// Whether one of the signals has come. Any thread.
bool StopRequested();

}  // namespace langevin::launch

#endif  // LANGEVIN_LAUNCH_STOP_SIGNALS_H_
