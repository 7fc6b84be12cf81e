/// Paths of members, made safe.
package enum TarPath {
    /// The path's components without empty ones and `.`, so that an absolute path becomes a relative one; nil if one is
    /// `..`, which would lead out of the directory that a member belongs to. The directory itself has no components.
    package static func components(_ path: [UInt8]) -> [[UInt8]]? {
        let slash = UInt8(ascii: "/")
        let dot = UInt8(ascii: ".")
        var components: [[UInt8]] = []
        var start = 0
        for index in 0...path.count where index == path.count || path[index] == slash {
            let component = Array(path[start..<index])
            start = index + 1
            if component.isEmpty || component == [dot] { continue }
            if component == [dot, dot] { return nil }
            components.append(component)
        }
        return components
    }
}
