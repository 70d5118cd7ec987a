// The socket between a sandboxed process and its parent: bytes, many small things at a time.
#ifndef LANGEVIN_DATA_INGEST_SANDBOX_SOCKET_H_
#define LANGEVIN_DATA_INGEST_SANDBOX_SOCKET_H_

#include <cstddef>
#include <span>
#include <vector>

namespace langevin::data {

// All of it, without SIGPIPE. False: the peer is gone.
bool SendAll(int socket, std::span<const std::byte> bytes);

// Reads ahead, and waits no longer than allowed. One thread at a time; the socket is the caller's.
class SandboxReceiver {
 public:
  enum class Result { kOk, kClosed, kSilent };

  SandboxReceiver();
  // Forgets what came from another socket.
  void Attach(int socket);
  // How long the calls of Read from now on may wait for the peer, all together: who sends a byte
  // now and then gains nothing. Without a call they wait for ever.
  void AllowWaiting(double seconds) { seconds_left_ = seconds; }
  Result Read(std::span<std::byte> out);

 private:
  Result Receive(std::span<std::byte> out, size_t& count);

  int socket_ = -1;
  double seconds_left_;
  std::vector<std::byte> buffer_;
  size_t begin_ = 0, end_ = 0;  // What of the buffer has not been taken.
};

}  // namespace langevin::data

#endif  // LANGEVIN_DATA_INGEST_SANDBOX_SOCKET_H_
