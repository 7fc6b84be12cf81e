/// The settings of a machine that a service may have under their own names: the long options of `aerie run`.
package struct ComposeVocabulary: Sendable {
    package enum Kind: Sendable {
        case text, flag
        /// Any number of texts.
        case list
    }

    let kinds: [String: Kind]

    /// - Parameter kinds: by the options' names without dashes before them.
    package init(_ kinds: [String: Kind]) { self.kinds = kinds }

    /// The setting of a field: its name, with `_` for `-` as well, as compose's own fields are written.
    func setting(_ field: String) -> (name: String, kind: Kind)? {
        let name = String(field.map { $0 == "_" ? "-" : $0 })
        return kinds[name].map { (name, $0) }
    }
}
