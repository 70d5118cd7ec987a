// The one binary tree in which numbers of microbatches are summed, whatever the number of ranks.
//
// Floating-point sums depend on their order. Fixing a tree over the global microbatch index makes
// every cut into ranks give the same bits, as long as each rank adds up only whole nodes of the
// tree and the rest is added where all parts are at hand.
#ifndef LANGEVIN_DISTRIBUTED_REDUCTION_TREE_H_
#define LANGEVIN_DISTRIBUTED_REDUCTION_TREE_H_

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

namespace langevin::distributed {

// A node: the sum over microbatches [begin, end). A node of one microbatch is a leaf; any other is
// the sum of [begin, middle) and [middle, end), where middle - begin is the largest power of two
// below end - begin. The root over n microbatches is [0, n).
struct TreeNode {
  int64_t begin = 0;
  int64_t end = 0;

  int64_t size() const { return end - begin; }
  friend bool operator==(const TreeNode&, const TreeNode&) = default;
};

// Where `node` splits. Requires node.size() >= 2.
int64_t SplitPoint(const TreeNode& node);

// The fewest nodes of the tree over [0, total) that make up `range`, in order. At most about
// 2 log2(total); one if the range is itself a node, as runs of equal powers of two are.
std::vector<TreeNode> CoveringNodes(int64_t total, const TreeNode& range);

// Sums up [0, total) from parts that cover it in order: take(i) gives the sum of parts[i], and
// add(left, right, is_root) the sum of two. Value is anything that can be moved.
template <typename Value, typename Take, typename Add>
Value SumOverTree(const std::vector<TreeNode>& parts, Take&& take, Add&& add) {
  size_t next = 0;
  const auto sum = [&](const auto& self, const TreeNode& node, bool is_root) -> Value {
    if (node == parts[next]) return take(next++);
    const int64_t middle = SplitPoint(node);
    Value left = self(self, {node.begin, middle}, false);
    Value right = self(self, {middle, node.end}, false);
    return add(std::move(left), std::move(right), is_root);
  };
  return sum(sum, {0, parts.back().end}, true);
}

}  // namespace langevin::distributed

#endif  // LANGEVIN_DISTRIBUTED_REDUCTION_TREE_H_
