import manifest from '../package.json' with { type: 'json' }

/** The release of this Action, for manifests. */
export const ACTION_VERSION: string = manifest.version
