/// The loops of a graph, inside of each other.
///
/// A loop is a set of nodes that all lead to each other. Those inside of it are the loops that are left without the ways to its
/// first node.
struct LoopForest {
    /// The innermost loop of each node.
    private(set) var innermost: [Int?]
    /// The loop around each loop.
    private var parents: [Int?] = []

    private let successors: [[Int]]
    /// The numbers of the sets that are being divided: that of each node, and how many there have been.
    private var sets: [Int]
    private var setCount = 1

    /// Deeper ones are not looked for.
    private static let depthLimit = 4

    init(successors: [[Int]]) {
        self.successors = successors
        innermost = Array(repeating: nil, count: successors.count)
        sets = Array(repeating: 0, count: successors.count)
        divide(Array(successors.indices), inside: nil, without: nil, depth: 0)
    }

    /// Whether a node is in a loop.
    func contains(_ loop: Int, _ node: Int) -> Bool {
        var next = innermost[node]
        while let one = next, one != loop { next = parents[one] }
        return next == loop
    }

    /// Finds the loops in a set of nodes.
    private mutating func divide(_ nodes: [Int], inside parent: Int?, without header: Int?, depth: Int) {
        guard depth < Self.depthLimit, let set = nodes.first.map({ sets[$0] }) else { return }
        var search = ComponentSearch(count: successors.count)
        for node in nodes { search.visit(node, successors) { $0 != header && sets[$0] == set } }
        for component in search.components where component.count > 1 || successors[component[0]].contains(component[0])
        {
            if component.count == 1, component[0] == header { continue }
            let loop = parents.count
            parents.append(parent)
            for node in component {
                innermost[node] = loop
                sets[node] = setCount
            }
            setCount += 1
            divide(component, inside: loop, without: first(of: component), depth: depth + 1)
        }
    }

    /// The node by which others enter a loop.
    private func first(of loop: [Int]) -> Int? {
        let set = sets[loop[0]]
        for (node, targets) in successors.enumerated() where sets[node] != set {
            if let target = targets.first(where: { sets[$0] == set }) { return target }
        }
        return loop.min()
    }
}

/// Finds the largest sets of nodes that all lead to each other (Tarjan's algorithm).
private struct ComponentSearch {
    private(set) var components: [[Int]] = []
    private var numbers: [Int?]
    private var lowest: [Int]
    private var isWaiting: [Bool]
    private var stack: [Int] = []
    private var count = 0

    init(count: Int) {
        numbers = Array(repeating: nil, count: count)
        lowest = Array(repeating: 0, count: count)
        isWaiting = Array(repeating: false, count: count)
    }

    mutating func visit(_ node: Int, _ successors: [[Int]], where isWanted: (Int) -> Bool) {
        if numbers[node] != nil { return }
        numbers[node] = count
        lowest[node] = count
        count += 1
        stack.append(node)
        isWaiting[node] = true
        for next in successors[node] where isWanted(next) {
            if numbers[next] == nil {
                visit(next, successors, where: isWanted)
                lowest[node] = min(lowest[node], lowest[next])
            } else if isWaiting[next], let number = numbers[next] {
                lowest[node] = min(lowest[node], number)
            }
        }
        guard lowest[node] == numbers[node], let start = stack.lastIndex(of: node) else { return }
        components.append(Array(stack[start...]))
        for member in stack[start...] { isWaiting[member] = false }
        stack.removeSubrange(start...)
    }
}
