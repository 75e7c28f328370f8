# The second build, for those who use node-gyp: `npm run build:gyp`, or `node-gyp rebuild` where
# Node's headers are installed. CMakeLists.txt is the real one: it finds other BLAS libraries too, and
# builds the code for cards (AT_CUDA).
{
  'variables': {
    'blas%': '-lopenblas',
  },
  'target_defaults': {
    'include_dirs': [
      'native',
      '<!(node -p "require(\'node-addon-api\').include_dir")',
      '<!(node -p "require(\'node-api-headers\').include_dir")',
    ],
    'defines': [
      'NAPI_VERSION=8',
      'NODE_ADDON_API_DISABLE_DEPRECATED',
      'NODE_API_SWALLOW_UNTHROWABLE_EXCEPTIONS',
    ],
    'cflags': ['-Wall', '-Wextra', '-Wno-unused-parameter', '-fvisibility=hidden'],
    # node-gyp turns exceptions off and chooses a standard of Node's own.
    'cflags_cc!': ['-fno-exceptions', '-fno-rtti', '-std=gnu++17', '-std=gnu++20'],
    'cflags_cc': ['-std=c++17', '-fexceptions', '-O3', '-fno-math-errno', '-fno-trapping-math', '-fPIC'],
    'xcode_settings': {
      'CLANG_CXX_LANGUAGE_STANDARD': 'c++17',
      'GCC_ENABLE_CPP_EXCEPTIONS': 'YES',
      'GCC_ENABLE_CPP_RTTI': 'YES',
      'GCC_OPTIMIZATION_LEVEL': '3',
      'MACOSX_DEPLOYMENT_TARGET': '11.0',
      'OTHER_CPLUSPLUSFLAGS': ['-fno-math-errno', '-fno-trapping-math', '-fvisibility=hidden'],
    },
    'conditions': [
      ['OS=="mac"', {
        'include_dirs': ['<!(brew --prefix)/include'],
      }],
    ],
  },
  'targets': [
    {
      # What computes derivatives once more, in double (native/core/real.h).
      'target_name': 'at_double',
      'type': 'static_library',
      'standalone_static_library': 1,
      'defines': ['AT_DOUBLE'],
      'sources': [
        '<!@(node -p "require(\'fs\').readdirSync(\'native\', {recursive: true}).filter((f) => /^(graph|rules|reverse|forward|jobs)\\/.*\\.cc$|^binding\\/(convert|engine|frame|job|settings)\\.cc$/.test(f)).map((f) => \'native/\' + f).sort().join(\' \')")',
      ],
    },
    {
      'target_name': 'adaptive_tangent',
      'dependencies': ['at_double'],
      'sources': [
        '<!@(node -p "require(\'fs\').readdirSync(\'native\', {recursive: true}).filter((f) => /^(?!device\\/cuda).*\\.cc$/.test(f)).map((f) => \'native/\' + f).sort().join(\' \')")',
      ],
      # Rules register themselves: none of them may be left out of the library.
      'ldflags': ['-Wl,--whole-archive'],
      'libraries': ['-Wl,--no-whole-archive', '<(blas)', '-ltbb'],
      'conditions': [
        ['OS=="mac"', {
          'libraries!': ['<(blas)', '-Wl,--no-whole-archive'],
          'libraries': ['-framework Accelerate'],
          'library_dirs': ['<!(brew --prefix)/lib'],
          'xcode_settings': {
            'OTHER_LDFLAGS': ['-Wl,-force_load,<(PRODUCT_DIR)/at_double.a'],
          },
        }],
      ],
    },
  ],
}
