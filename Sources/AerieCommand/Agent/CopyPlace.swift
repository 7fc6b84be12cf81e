/// A side of `aerie cp`.
enum CopyPlace: Equatable {
    case guest(name: String, path: String)
    case host(path: String)
    /// A tar stream on standard input or output.
    case stream

    /// As podman reads it: a colon separates a machine from a path, unless a slash or a dot begins the text.
    init(_ text: String) {
        if text == "-" {
            self = .stream
            return
        }
        guard let colon = text.firstIndex(of: ":"), !text.hasPrefix("/"), !text.hasPrefix("."),
            !text[..<colon].contains("/"), colon > text.startIndex
        else {
            self = .host(path: text)
            return
        }
        let path = String(text[text.index(after: colon)...])
        // Relative paths begin at the root directory.
        self = .guest(name: String(text[..<colon]), path: path.hasPrefix("/") ? path : "/" + path)
    }
}
