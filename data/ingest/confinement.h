// What a process gives up before it touches foreign bytes: system calls, by seccomp.
#ifndef LANGEVIN_DATA_INGEST_CONFINEMENT_H_
#define LANGEVIN_DATA_INGEST_CONFINEMENT_H_

namespace langevin::data {

// From here on this process can read files, use memory, wait, talk over the connected `socket`, and
// end; every other system call fails with EPERM: no network, no new processes or programs, nothing
// opened for writing, no signals to others, no executable memory. Returns 0, or errno where the
// kernel cannot do this (ENOSYS on processors that the filter does not know). Cannot be undone.
int ConfineProcess(int socket);

}  // namespace langevin::data

#endif  // LANGEVIN_DATA_INGEST_CONFINEMENT_H_
